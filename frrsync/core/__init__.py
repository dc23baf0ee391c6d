"""Every decision of frrsync, and nothing else.

Nothing here does input or output, starts a thread, asks for the time or writes a log; import-linter
checks it. Plain values in, plain values out, the same answer for the same input. Read in this order:

``model``       what a cluster or a folder of manifests says
``selector``    label selectors
``address``     addresses, ranges and prefixes of pools
``manifests``   plain data to the model, with an error text for every mistake
``allocate``    which Service gets which address, or why none
``announce``    which Services this node announces, or why not
``frr_config``  the typed configuration of the FRR beside this node
``bgp``         announcements and peers to that configuration
"""
