"""The rules of a call of run.sh: experiments, names of folders, rates, settings. Needs no installed package."""
