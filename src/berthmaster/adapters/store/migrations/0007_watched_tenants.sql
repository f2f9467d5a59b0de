-- What housekeeping last measured of a tenant, and what a person must know of it, by kind.
ALTER TABLE tenants ADD COLUMN watched TEXT;
