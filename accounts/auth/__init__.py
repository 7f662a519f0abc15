"""Who is at the door: people through allauth, machines by key."""
