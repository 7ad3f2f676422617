"""Data sets: facts about each (``catalogue``), how its verified bytes are had (``sources``), arrays (``loaders``)."""
