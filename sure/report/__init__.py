"""Reports: tables, figures and pages made from result.json files."""
