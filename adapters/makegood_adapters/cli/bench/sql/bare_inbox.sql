-- Make the table of an inbox without any rules. Called before the intake of webhooks is measured.
create table if not exists bare_inbox (
  number bigint generated always as identity primary key, token text not null, body text not null,
  received_at timestamptz not null default now()
)
