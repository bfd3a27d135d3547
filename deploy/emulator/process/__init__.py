"""Starting, finding and stopping emulators."""
