-- What an option is called: its words. But under the id `other` a source stores what people wrote themselves, and the words of one of them
-- are no name for what the others said.
case value_id when 'other' then 'Other' else value_text end
