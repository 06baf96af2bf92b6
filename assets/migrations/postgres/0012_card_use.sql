-- How the card of a payment was charged, as far as its provider said: over how many months it is paid off (zero is all at
-- once), and whether the customer's bank asked them. Empty is not known, as it is for every payment of before.
-- Only columns are added here: databases that are filled in bulk get them with their tables.
alter table payment add column installment_months bigint
    constraint payment_installment_months check (installment_months >= 0);
alter table payment add column three_d_secure text collate "C"
    constraint payment_three_d_secure check
        (three_d_secure in ('not_used', 'authenticated', 'attempted', 'exempted', 'not_supported', 'failed', 'other'));
