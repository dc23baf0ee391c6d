"""Kubernetes objects from a folder of manifests, and what must outlive a restart.

Files are read as kubectl would read them; one broken file, document or object never stops the others, and
what was good before stays. Nothing is decided here. Read in this order:

``scalar``    what ``yes``, ``010`` and ``64512:10`` mean
``builder``   events of the YAML parser to plain data, within limits
``document``  text to plain documents with the line of every field
``reader``    files to objects of the model
``snapshot``  snapshots made from the one before, with what did not change
``store``     the folder as a whole: mistakes, duplicates, last good states
``watcher``   notices changes of files
``state``     the record of allocated addresses, outside of the watched folder
"""
