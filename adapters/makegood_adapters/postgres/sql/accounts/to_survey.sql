-- Take accounts that may be asked how they are, and set when next. Called by Accounts.to_survey.
update makegood.provider_account p
set next_survey_at = makegood.now() + make_interval(secs => $2)
from (
  select name from makegood.provider_account
  where name = any($1::text[]) and next_survey_at <= makegood.now()
  order by name for no key update skip locked
) due
where p.name = due.name
returning p.name
