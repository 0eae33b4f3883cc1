"""The pages under `/.calsync/`: signing in, letting devices in, and what a user sees of them. The gate calls them."""
