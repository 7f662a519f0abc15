"""Between a file on a disk and the ledger: an EA writes, we must not be in its way, and nothing it wrote may be lost.

disk.py     bytes off a disk and onto it; knows no rows
sights.py   what one look found
arrivals.py `look`: what a file holds becomes one message, once, whoever else is looking
counting.py how many versions nobody read
answers.py  what became of its messages, written beside the file
events.py   being told by the system that a file was written
watched.py  one file as the watcher sees it: what is new, what must have been missed
watcher.py  the process that does it all at once: `manage.py watch_files`
"""
