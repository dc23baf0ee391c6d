"""Kubernetes objects from a folder of manifests, and what must outlive a restart.

Files are read as kubectl would read them; one broken file, document or object never stops the others, and
what was good before stays. Nothing is decided here. Read in this order:

``scalar``    what ``yes``, ``010`` and ``64512:10`` mean
``document``  text to plain documents with the line of every field
``reader``    files to objects of the model
``store``     the folder as a whole: snapshots, mistakes, last good states
``watcher``   notices changes of files
``state``     the record of allocated addresses, outside of the watched folder
"""
