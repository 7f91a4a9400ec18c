-- Under the id `other` a source stores what people wrote themselves: the words of one of them are no name for what the others said.
create or replace view analytics.choice_counts with (security_barrier) as
select c.tenant_id, c.day, c.source_type, c.source_id, c.field_group_id, c.field_id, c.option, c.label, c.count, b.submissions
from (
    select tenant_id, day, source_type, source_id, field_group_id, field_id, question, option,
        sum(count)::bigint as count, (array_agg(label order by last desc, label))[1] as label
    from (
        select tenant_id, (collected_at at time zone 'UTC')::date as day, source_type, source_id, field_group_id, field_id,
            coalesce(field_group_id, field_id) as question, option,
            case value_id when 'other' then 'Other' else value_text end as label, count(*) as count, max(collected_at) as last
        from analytics.feedback
        where field_type = 'categorical' and option is not null
        group by 1, 2, 3, 4, 5, 6, 7, 8, 9
    ) as labeled
    group by 1, 2, 3, 4, 5, 6, 7, 8
) as c
join (
    select tenant_id, (collected_at at time zone 'UTC')::date as day, source_type, source_id,
        coalesce(field_group_id, field_id) as question, count(distinct submission_id) as submissions
    from analytics.feedback
    where field_type = 'categorical' and option is not null
    group by 1, 2, 3, 4, 5
) as b
    on b.tenant_id = c.tenant_id and b.day = c.day and b.source_type = c.source_type
    and b.source_id is not distinct from c.source_id and b.question = c.question;
comment on column analytics.choice_counts.label is 'The latest wording of the option, of this day; Other for the option other, where everybody wrote words of their own';
