"""Many steps gate by gate on the states themselves."""
