"""One session as one HTML file that works offline."""
