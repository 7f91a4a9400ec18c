-- Views for BI tools: stable names, comments that the tools show, and counts instead of ratios, so that any tool may add up and divide.
-- A reader is a role that may select from them and nothing else. What it sees is decided here, by the name it signed in with, which
-- it cannot change: a setting or a role it could.
create table reader_tenants (
    role text not null,
    tenant_id text not null,
    constraint reader_tenants_pkey primary key (role, tenant_id)
);

create schema analytics;
comment on schema analytics is 'Customer feedback for BI tools: counts to add up and divide, and the answers themselves';

create view analytics.feedback with (security_barrier) as
select id, collected_at, created_at, updated_at, source_type, source_id, source_name, field_id, field_label, field_type,
    field_group_id, field_group_label, value_text, value_id, value_number, value_boolean, value_date, metadata, language,
    user_id, tenant_id, submission_id, value_text_translated, sentiment, sentiment_score, emotions,
    case when has_scale then (scale -> 'min')::float8 end as scale_min,
    case when has_scale then (scale -> 'max')::float8 end as scale_max,
    coalesce(value_id, nullif(lower(btrim(value_text)), '')) as option
from (
    -- jsonb sorts numbers between numbers: what lies between two is one, and small enough to be cast.
    select *, metadata -> 'scale' as scale, coalesce(
        metadata #> '{scale,min}' between '-1e15' and '1e15' and metadata #> '{scale,max}' between '-1e15' and '1e15'
        and metadata #> '{scale,min}' < metadata #> '{scale,max}', false
    ) as has_scale
    from feedback_records
    where tenant_id = any(array(select tenant_id from reader_tenants where role = session_user))
) as records;
comment on view analytics.feedback is 'One row per answered field. The fence around the tenants of a reader; every other view is made of it.';
comment on column analytics.feedback.id is 'The id of the record';
comment on column analytics.feedback.collected_at is 'When the answer was given';
comment on column analytics.feedback.created_at is 'When it was stored';
comment on column analytics.feedback.updated_at is 'When a value last changed';
comment on column analytics.feedback.source_type is 'The kind of source: survey, formbricks_survey, …';
comment on column analytics.feedback.source_id is 'The id of the survey';
comment on column analytics.feedback.source_name is 'The name of the survey';
comment on column analytics.feedback.field_id is 'The id of the question, or of a part of it';
comment on column analytics.feedback.field_label is 'What was asked';
comment on column analytics.feedback.field_type is 'text, categorical, nps, csat, ces, rating, number, boolean or date';
comment on column analytics.feedback.field_group_id is 'Shared by the parts of one question: options of a multi-select, rows of a matrix';
comment on column analytics.feedback.field_group_label is 'The question that the parts share';
comment on column analytics.feedback.value_text is 'The answer in words; the label of an option';
comment on column analytics.feedback.value_id is 'The stable id of an option';
comment on column analytics.feedback.value_number is 'A score, a rank, a number';
comment on column analytics.feedback.value_boolean is 'Yes or no';
comment on column analytics.feedback.value_date is 'A date';
comment on column analytics.feedback.metadata is 'Anything else, as it was sent';
comment on column analytics.feedback.language is 'The language of the answer';
comment on column analytics.feedback.user_id is 'Who answered';
comment on column analytics.feedback.tenant_id is 'Whose it is';
comment on column analytics.feedback.submission_id is 'What was sent together';
comment on column analytics.feedback.value_text_translated is 'The answer in another language';
comment on column analytics.feedback.sentiment is 'very_negative, negative, neutral, positive, very_positive or mixed';
comment on column analytics.feedback.sentiment_score is 'From -1 to 1';
comment on column analytics.feedback.emotions is 'joy, anger, sadness, fear, surprise, disgust';
comment on column analytics.feedback.scale_min is 'The lowest mark of the scale; null where the scale is not known';
comment on column analytics.feedback.scale_max is 'The highest mark of the scale; null where the scale is not known. Never add up different scales';
comment on column analytics.feedback.option is 'What was chosen: value_id, or else value_text without case and blanks around it';

create view analytics.nps_daily with (security_barrier) as
select tenant_id, (collected_at at time zone 'UTC')::date as day, source_type, source_id, field_id,
    count(*) filter (where value_number >= 0 and value_number <= 10) as count,
    count(*) filter (where value_number >= 9 and value_number <= 10) as promoters,
    count(*) filter (where value_number >= 7 and value_number < 9) as passives,
    count(*) filter (where value_number >= 0 and value_number < 7) as detractors,
    count(*) filter (where (value_number >= 0 and value_number <= 10) is not true) as invalid_count
from analytics.feedback
where field_type = 'nps'
group by 1, 2, 3, 4, 5;
comment on view analytics.nps_daily is 'Net Promoter Score as counts: 100 * (sum(promoters) - sum(detractors)) / sum(count), over whatever is selected.';
comment on column analytics.nps_daily.tenant_id is 'Whose it is';
comment on column analytics.nps_daily.day is 'The day of collection, in UTC';
comment on column analytics.nps_daily.source_type is 'The kind of source: survey, formbricks_survey, …';
comment on column analytics.nps_daily.source_id is 'The id of the survey';
comment on column analytics.nps_daily.field_id is 'The id of the question, or of a part of it';
comment on column analytics.nps_daily.count is 'Answers from 0 to 10';
comment on column analytics.nps_daily.promoters is '9 to 10';
comment on column analytics.nps_daily.passives is 'From 7 on, below 9';
comment on column analytics.nps_daily.detractors is 'Below 7';
comment on column analytics.nps_daily.invalid_count is 'Answers beyond the scale, or without a number; not in count';

create view analytics.csat_daily with (security_barrier) as
select tenant_id, day, source_type, source_id, field_id, scale_min, scale_max,
    count(*) filter (where valid) as count,
    count(*) filter (where valid and value_number >= top - 1) as satisfied,
    count(*) filter (where valid and value_number < top - 1 and value_number > bottom + 1) as neutral,
    count(*) filter (where valid and value_number < top - 1 and value_number <= bottom + 1) as dissatisfied,
    coalesce(sum(value_number) filter (where valid), 0) as value_sum,
    count(*) filter (where not valid) as invalid_count
from (
    select *, coalesce(value_number >= bottom and value_number <= top, false) as valid
    from (
        select *, (collected_at at time zone 'UTC')::date as day, coalesce(scale_min, 1) as bottom, coalesce(scale_max, 5) as top
        from analytics.feedback
        where field_type = 'csat'
    ) as scaled
) as answers
group by 1, 2, 3, 4, 5, 6, 7;
comment on view analytics.csat_daily is 'Customer satisfaction as counts: 100 * sum(satisfied) / sum(count). Where no scale is known, it is taken for 1 to 5.';
comment on column analytics.csat_daily.tenant_id is 'Whose it is';
comment on column analytics.csat_daily.day is 'The day of collection, in UTC';
comment on column analytics.csat_daily.source_type is 'The kind of source: survey, formbricks_survey, …';
comment on column analytics.csat_daily.source_id is 'The id of the survey';
comment on column analytics.csat_daily.field_id is 'The id of the question, or of a part of it';
comment on column analytics.csat_daily.scale_min is 'The lowest mark of the scale; null where the scale is not known';
comment on column analytics.csat_daily.scale_max is 'The highest mark of the scale; null where the scale is not known. Never add up different scales';
comment on column analytics.csat_daily.count is 'Answers on the scale';
comment on column analytics.csat_daily.satisfied is 'The two best marks';
comment on column analytics.csat_daily.neutral is 'Neither';
comment on column analytics.csat_daily.dissatisfied is 'The two worst marks';
comment on column analytics.csat_daily.value_sum is 'The sum of the marks: divided by count it is the mean';
comment on column analytics.csat_daily.invalid_count is 'Answers beyond the scale, or without a number; not in count';

create view analytics.ces_daily with (security_barrier) as
select tenant_id, day, source_type, source_id, field_id, scale_min, scale_max,
    count(*) filter (where valid) as count,
    case when scale_max is not null then count(*) filter (
        where valid and value_number >= scale_max - case when scale_max >= 7 then 2 else 1 end
    ) end as easy,
    coalesce(sum(value_number) filter (where valid), 0) as value_sum,
    count(*) filter (where not valid) as invalid_count
from (
    select *, (collected_at at time zone 'UTC')::date as day,
        coalesce(value_number >= coalesce(scale_min, 1) and value_number <= coalesce(scale_max, 7), false) as valid
    from analytics.feedback
    where field_type = 'ces'
) as answers
group by 1, 2, 3, 4, 5, 6, 7;
comment on view analytics.ces_daily is 'Customer effort as counts and sums: sum(value_sum) / sum(count) is the mean, 100 * sum(easy) / sum(count) the easy share.';
comment on column analytics.ces_daily.tenant_id is 'Whose it is';
comment on column analytics.ces_daily.day is 'The day of collection, in UTC';
comment on column analytics.ces_daily.source_type is 'The kind of source: survey, formbricks_survey, …';
comment on column analytics.ces_daily.source_id is 'The id of the survey';
comment on column analytics.ces_daily.field_id is 'The id of the question, or of a part of it';
comment on column analytics.ces_daily.scale_min is 'The lowest mark of the scale; null where the scale is not known';
comment on column analytics.ces_daily.scale_max is 'The highest mark of the scale; null where the scale is not known. Never add up different scales';
comment on column analytics.ces_daily.count is 'Answers on the scale';
comment on column analytics.ces_daily.easy is 'The best three marks of seven, the best two of fewer; null where the scale is not known';
comment on column analytics.ces_daily.value_sum is 'The sum of the marks: divided by count it is the mean';
comment on column analytics.ces_daily.invalid_count is 'Answers beyond the scale, or without a number; not in count';

create view analytics.volume_daily with (security_barrier) as
select tenant_id, (collected_at at time zone 'UTC')::date as day, source_type, source_id,
    count(*) as records, count(distinct submission_id) as submissions, count(distinct user_id) as users
from analytics.feedback
group by 1, 2, 3, 4;
comment on view analytics.volume_daily is 'How much there is.';
comment on column analytics.volume_daily.tenant_id is 'Whose it is';
comment on column analytics.volume_daily.day is 'The day of collection, in UTC';
comment on column analytics.volume_daily.source_type is 'The kind of source: survey, formbricks_survey, …';
comment on column analytics.volume_daily.source_id is 'The id of the survey';
comment on column analytics.volume_daily.records is 'Answered fields';
comment on column analytics.volume_daily.submissions is 'Different submissions; one that goes on after midnight is in two days';
comment on column analytics.volume_daily.users is 'Different users of this day. Do not add up days: a user may come again';

create view analytics.choice_counts with (security_barrier) as
select c.tenant_id, c.day, c.source_type, c.source_id, c.field_group_id, c.field_id, c.option, c.label, c.count, b.submissions
from (
    select tenant_id, day, source_type, source_id, field_group_id, field_id, question, option,
        sum(count)::bigint as count, (array_agg(label order by last desc, label))[1] as label
    from (
        select tenant_id, (collected_at at time zone 'UTC')::date as day, source_type, source_id, field_group_id, field_id,
            coalesce(field_group_id, field_id) as question, option, value_text as label, count(*) as count, max(collected_at) as last
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
comment on view analytics.choice_counts is 'How often each option was chosen. The share of an option is count / submissions, and may exceed 100 percent in sum where several may be chosen.';
comment on column analytics.choice_counts.tenant_id is 'Whose it is';
comment on column analytics.choice_counts.day is 'The day of collection, in UTC';
comment on column analytics.choice_counts.source_type is 'The kind of source: survey, formbricks_survey, …';
comment on column analytics.choice_counts.source_id is 'The id of the survey';
comment on column analytics.choice_counts.field_group_id is 'Shared by the parts of one question: options of a multi-select, rows of a matrix';
comment on column analytics.choice_counts.field_id is 'The id of the question, or of a part of it';
comment on column analytics.choice_counts.option is 'What was chosen: value_id, or else value_text without case and blanks around it';
comment on column analytics.choice_counts.label is 'The latest wording of the option, of this day';
comment on column analytics.choice_counts.count is 'How often it was chosen';
comment on column analytics.choice_counts.submissions is 'Submissions that chose anything of the question on this day: the base of the share. The same on each row of the question; do not add it up over options';

create view analytics.fields with (security_barrier) as
select tenant_id, source_type, source_id, field_id, field_type,
    (array_agg(field_label order by last desc))[1] as field_label,
    (array_agg(field_group_id order by last desc))[1] as field_group_id,
    (array_agg(field_group_label order by last desc))[1] as field_group_label,
    (array_agg(source_name order by last desc))[1] as source_name,
    sum(records)::bigint as records, min(first) as first_seen, max(last) as last_seen
from (
    select tenant_id, source_type, source_id, field_id, field_type, field_label, field_group_id, field_group_label, source_name,
        count(*) as records, min(collected_at) as first, max(collected_at) as last
    from analytics.feedback
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9
) as labeled
group by 1, 2, 3, 4, 5;
comment on view analytics.fields is 'What is in here: the questions.';
comment on column analytics.fields.tenant_id is 'Whose it is';
comment on column analytics.fields.source_type is 'The kind of source: survey, formbricks_survey, …';
comment on column analytics.fields.source_id is 'The id of the survey';
comment on column analytics.fields.field_id is 'The id of the question, or of a part of it';
comment on column analytics.fields.field_type is 'text, categorical, nps, csat, ces, rating, number, boolean or date';
comment on column analytics.fields.field_label is 'What was asked, in its latest wording';
comment on column analytics.fields.field_group_id is 'Shared by the parts of one question: options of a multi-select, rows of a matrix';
comment on column analytics.fields.field_group_label is 'The question that the parts share';
comment on column analytics.fields.source_name is 'The name of the survey';
comment on column analytics.fields.records is 'How many answers there are';
comment on column analytics.fields.first_seen is 'When the first answer was given';
comment on column analytics.fields.last_seen is 'When the latest answer was given';

create view analytics.submissions with (security_barrier) as
select
    coalesce(f.tenant_id, s.tenant_id) as tenant_id, coalesce(f.submission_id, s.submission_id) as submission_id,
    f.source_type, coalesce(f.source_id, s.form_id) as source_id, f.source_name, coalesce(f.user_id, s.user_id) as user_id, f.language,
    s.status, s.started_at, s.completed_at, s.duration_seconds, f.collected_at, coalesce(f.records, 0) as records, f.nps,
    case when f.nps >= 9 then 'promoter' when f.nps >= 7 then 'passive' when f.nps is not null then 'detractor' end as nps_segment,
    coalesce(f.answers, '{}') as answers
from (
    select tenant_id, submission_id, min(source_type) as source_type, min(source_id) as source_id, min(source_name) as source_name,
        min(user_id) as user_id, min(language) as language, min(collected_at) as collected_at, count(*) as records,
        (array_agg(value_number order by field_id) filter (where field_type = 'nps' and value_number between 0 and 10))[1] as nps,
        jsonb_object_agg(field_id, coalesce(
            to_jsonb(value_number), to_jsonb(value_boolean), to_jsonb(value_date), to_jsonb(value_text), to_jsonb(value_id)
        )) as answers
    from analytics.feedback
    group by tenant_id, submission_id
) as f
full join (
    select tenant_id, submission_id, form_id, user_id, status, started_at, completed_at, duration_seconds
    from submissions
    where tenant_id = any(array(select tenant_id from reader_tenants where role = session_user))
) as s on s.tenant_id = f.tenant_id and s.submission_id = f.submission_id;
comment on view analytics.submissions is 'One row per submission, its answers side by side.';
comment on column analytics.submissions.tenant_id is 'Whose it is';
comment on column analytics.submissions.submission_id is 'What was sent together';
comment on column analytics.submissions.source_type is 'The kind of source: survey, formbricks_survey, …';
comment on column analytics.submissions.source_id is 'The id of the survey';
comment on column analytics.submissions.source_name is 'The name of the survey';
comment on column analytics.submissions.user_id is 'Who answered';
comment on column analytics.submissions.language is 'The language of the answer';
comment on column analytics.submissions.status is 'started, partial, completed or dismissed; null where the source does not tell';
comment on column analytics.submissions.started_at is 'When it was begun, where the source tells';
comment on column analytics.submissions.completed_at is 'When it was completed, where the source tells';
comment on column analytics.submissions.duration_seconds is 'How long it took, where the source tells';
comment on column analytics.submissions.collected_at is 'When its first answer was given';
comment on column analytics.submissions.records is 'How many answers it has';
comment on column analytics.submissions.nps is 'Its NPS answer, from 0 to 10; of several that of the first field';
comment on column analytics.submissions.nps_segment is 'promoter, passive or detractor';
comment on column analytics.submissions.answers is 'The answers by field_id: answers ->> ''q1''';
