-- Every job of the old app, one row a job. Copy this file and adapt it; the names of the columns below stay.
--
-- Each row is read as JSON, so that a table may lack a column: it is null then. Take out the line of a table that your
-- database does not have. `charged` and `refunded` are flags, except in seedance_jobs, where the first is a number of
-- credits that a refund sets to 0.
with old (name, r) as (
  select 'upscaler_jobs', to_jsonb(j) from upscaler_jobs j
  union all select 'pose_changer_jobs', to_jsonb(j) from pose_changer_jobs j
  union all select 'veste_ai_jobs', to_jsonb(j) from veste_ai_jobs j
  union all select 'video_upscaler_jobs', to_jsonb(j) from video_upscaler_jobs j
  union all select 'arcano_cloner_jobs', to_jsonb(j) from arcano_cloner_jobs j
  union all select 'character_generator_jobs', to_jsonb(j) from character_generator_jobs j
  union all select 'flyer_maker_jobs', to_jsonb(j) from flyer_maker_jobs j
  union all select 'bg_remover_jobs', to_jsonb(j) from bg_remover_jobs j
  union all select 'image_generator_jobs', to_jsonb(j) from image_generator_jobs j
  union all select 'video_generator_jobs', to_jsonb(j) from video_generator_jobs j
  union all select 'movieled_maker_jobs', to_jsonb(j) from movieled_maker_jobs j
  union all select 'seedance_jobs', to_jsonb(j) from seedance_jobs j
)
select r ->> 'id' as id,
       name as "table",
       null::text as type,                                    -- of the catalogue; null: the one that has the table
       r ->> 'user_id' as owner,
       r ->> 'status' as status,
       r ->> 'task_id' as task_id,
       r ->> 'api_account' as account,
       case when name = 'seedance_jobs' then coalesce((r ->> 'credits_charged')::bigint, 0)
            else coalesce((r ->> 'user_credit_cost')::bigint, 0) end as price,
       case when name = 'seedance_jobs' then coalesce((r ->> 'credits_charged')::bigint, 0) > 0
            else coalesce((r ->> 'credits_charged')::boolean, false) end as charged,
       coalesce((r ->> 'credits_refunded')::boolean, false) as refunded,
       (r ->> 'created_at')::timestamptz as created_at,
       (r ->> 'completed_at')::timestamptz as finished_at,
       r ->> 'output_url' as output_url,
       r ->> 'error_message' as error_message,
       r - array['raw_api_response', 'raw_webhook_payload', 'step_history', 'job_payload'] as payload
from old
