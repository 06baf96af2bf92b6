-- A billing run shows signs of life, so that one whose process is gone can be told from one that works.
alter table run add column lease_until integer;
-- Runs under way: few.
create index run_under_way on run (id) where state = 'running';
