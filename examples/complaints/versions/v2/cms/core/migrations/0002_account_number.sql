-- Expand: v1 names neither the column nor the index and runs on. NOT NULL and the end of `account_ref` (contract) belong
-- into a release after the last one that may be rolled back to v1.
-- A reference that is no number, which v1 let people write, stops it: `invalid input syntax for type bigint`.
ALTER TABLE complaints ADD COLUMN account_number bigint;

UPDATE complaints
SET account_number = regexp_replace(account_ref, '^ACC-', '')::bigint
WHERE account_ref <> '';

CREATE INDEX complaints_account_number ON complaints (account_number);
