"""What a fork waits for: its child would inherit locks of others, those of imports and of
libraries, that nobody opens again.

    with unforkable:
        ...         # what opens such locks itself, and ends soon
"""
import os
import threading

unforkable = threading.RLock()
os.register_at_fork(before=unforkable.acquire, after_in_parent=unforkable.release,
                    after_in_child=unforkable.release)
