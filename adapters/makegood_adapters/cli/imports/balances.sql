-- What each user of the old app has: one row a user. Copy this file and adapt it; the names of the columns stay.
--
-- owner               the user's id, as it is in the tokens of your users
-- monthly             credits of the plan, left of this month; monthly_expires_at: when they end, null for never
-- lifetime            credits that were bought
-- test                test credits; test_expires_at: when they end, null for never
-- balance             the sum of monthly and lifetime as the old app has stored it, null where it has none; where it
--                     differs, the user is told and left out
select user_id::text as owner,
       monthly_balance as monthly,
       monthly_expires_at as monthly_expires_at,
       lifetime_balance as lifetime,
       0 as test,
       null::timestamptz as test_expires_at,
       balance as balance
from upscaler_credits
order by user_id
