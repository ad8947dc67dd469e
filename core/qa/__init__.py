"""Quality assurance: rules, near-duplicates, the judge, and what their record says."""
