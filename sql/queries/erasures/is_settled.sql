-- Whether everything that began before this transaction has ended: nothing older than it can still come.
select (/* include changes/horizon */) >= now()
