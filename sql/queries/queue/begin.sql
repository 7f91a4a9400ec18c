-- From here on the job may miss what changes, so whoever asks for the same again gets one of their own.
update pgqueuer set dedupe_key = null where id = $1
