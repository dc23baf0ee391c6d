"""``make demo``: a small data centre that tells an operator what frrsync does, by real output alone.

Read in this order: ``story`` (the steps), ``console`` (commands and waiting), ``routes`` and ``traffic`` (what is
measured and how), ``stage`` (how it looks), ``__main__`` (that nothing stays behind).
"""
