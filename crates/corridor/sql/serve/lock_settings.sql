-- Purpose: whoever changes settings of the service waits for who does so already: each is checked together with the others.
-- Locks: share row exclusive on corridor.service_setting
-- Oldest version: 14
lock table corridor.service_setting in share row exclusive mode
