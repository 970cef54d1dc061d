"""What killed processes leave behind, found and put right."""
