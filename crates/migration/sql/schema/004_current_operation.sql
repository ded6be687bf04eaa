-- Purpose: the current operation is one of the plan's.
-- Locks: share row exclusive on corridor.migration and corridor.operation
-- Oldest version: 14
alter table corridor.migration
    add constraint current_operation_is_of_the_plan
    foreign key (id, current_operation) references corridor.operation (migration_id, name)
    deferrable initially deferred
