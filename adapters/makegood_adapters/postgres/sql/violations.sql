-- List every broken invariant. Called by Store.violations.
select invariant, subject from makegood.violation order by 1, 2
