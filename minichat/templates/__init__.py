"""Where chat templates run: a sandbox, what it lets them call, strings that know who wrote them."""
