-- Endpoints: whose addresses are told of transitions by signed webhooks, and what became of each message.

create table makegood.endpoint (
  id uuid primary key,
  owner_id text,  -- whose jobs it is told of; null: everybody's
  url text not null check (url <> ''),
  created_at timestamptz not null default makegood.now()
);
