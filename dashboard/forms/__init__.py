"""What people type, one file a noun. Forms check shape; whether something may be is the services' matter."""
