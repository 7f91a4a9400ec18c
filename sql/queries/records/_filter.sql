-- What every list, count and export may select by; the parameters are `hub.db.records.arguments(filter)`, in this order.
-- Each says its type, for an export writes the values in the place of the parameters.
-- An empty array and a null select everything: the plan is made for the values, so an unused line costs nothing.
-- (Each parameter has its type wherever it would not be clear: COPY has the values in their place.)
tenant_id = $1
and case cardinality($2::text[]) when 0 then true when 1 then submission_id = ($2::text[])[1] else submission_id = any($2) end
and case cardinality($3::text[]) when 0 then true when 1 then source_type = ($3::text[])[1] else source_type = any($3) end
and case cardinality($4::text[]) when 0 then true when 1 then source_id = ($4::text[])[1] else source_id = any($4) end
and case cardinality($5::text[]) when 0 then true when 1 then source_name = ($5::text[])[1] else source_name = any($5) end
and case cardinality($6::text[]) when 0 then true when 1 then field_id = ($6::text[])[1] else field_id = any($6) end
and case cardinality($7::text[]) when 0 then true else field_type = any($7) end
and case cardinality($8::text[]) when 0 then true when 1 then field_group_id = ($8::text[])[1] else field_group_id = any($8) end
and case cardinality($9::text[]) when 0 then true when 1 then value_id = ($9::text[])[1] else value_id = any($9) end
and case cardinality($10::text[]) when 0 then true when 1 then user_id = ($10::text[])[1] else user_id = any($10) end
and case cardinality($11::text[]) when 0 then true else language = any($11) end
and case cardinality($12::text[]) when 0 then true else sentiment = any($12) end
and case cardinality($13::text[]) when 0 then true else emotions && $13 end
and ($14::timestamptz is null or collected_at >= $14)
and ($15::timestamptz is null or collected_at <= $15)
and ($16::timestamptz is null or created_at >= $16)
and ($17::timestamptz is null or created_at <= $17)
and ($18::timestamptz is null or updated_at >= $18)
and ($19::timestamptz is null or updated_at <= $19)
and ($20::timestamptz is null or value_date >= $20)
and ($21::timestamptz is null or value_date <= $21)
and ($22::float8 is null or value_number >= $22)
and ($23::float8 is null or value_number <= $23)
and ($24::float8 is null or sentiment_score >= $24)
and ($25::float8 is null or sentiment_score <= $25)
and ($26::boolean is null or (sentiment is not null) = $26)
and ($27::boolean is null or (emotions is not null) = $27)
and ($28::boolean is null or (value_text_translated is not null) = $28)
and ($29::boolean is null or value_boolean = $29)
-- Case and blanks around aside, as answers are counted.
and case cardinality($30::text[]) when 0 then true
    else lower(btrim(value_text)) = any(array(select lower(btrim(wanted)) from unnest($30::text[]) as wanted)) end
-- One member of metadata is looked at directly; the loop over several would cost every record a query of its own.
and case jsonb_array_length($31::jsonb) when 0 then true
    when 1 then ($31::jsonb #> '{0,1}') ? (metadata #>> string_to_array($31::jsonb #>> '{0,0}', '.'))
    else not exists (
        select from jsonb_array_elements($31::jsonb) as wanted
        where ((wanted -> 1) ? (metadata #>> string_to_array(wanted ->> 0, '.'))) is not true
    ) end
