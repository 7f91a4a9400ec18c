-- The cells of the largest groups ($35 of them); `groups` says how many there are.
select * from (
    select *, max(place) over () as groups
    from (
        select *, dense_rank() over (order by size desc, key) as place
        from (select *, sum(records) over (partition by key) as size from cells) as sized
    ) as placed
) as ranked
where place <= $35
order by place, bucket
