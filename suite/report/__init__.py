"""What programs write for people: the data model of a page, tracked Markdown pages with figures, and terminal views."""
