-- Promoters 9 to 10, passives from 7 on, detractors below: half-open, as everywhere.
case $32::text
    when 'promoter' then nps >= 9
    when 'passive' then nps >= 7 and nps < 9
    when 'detractor' then nps < 7
    else true
end
