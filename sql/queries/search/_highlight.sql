-- Short texts whole, of long ones the parts with hits. Two control characters stand for the marks until the rest is escaped.
replace(replace(replace(replace(replace(replace(ts_headline(
    configuration::regconfig,
    translate(value_text, E'\x02\x03', ''),
    websearch_to_tsquery(configuration::regconfig, $36),
    E'StartSel="\x02", StopSel="\x03", FragmentDelimiter=" … ", '
        || case when length(value_text) <= 400 then 'HighlightAll=true' else 'MaxFragments=3, MinWords=15, MaxWords=40' end
), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), E'\x02', '<mark>'), E'\x03', '</mark>')
