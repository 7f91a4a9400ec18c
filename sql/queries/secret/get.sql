-- What the secret of this database was hashed to.
select hash from secret where purpose = 'markers'
