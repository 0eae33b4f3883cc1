"""HTTP that goes out."""
