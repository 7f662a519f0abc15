"""Open the libraries' tables to the app and engine roles: each by name, each with what it needs."""

from django.db import migrations

from mikrobot_platform.db.operations import shared_table

READ = "SELECT"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_house"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("usersessions", "0001_initial"),
        ("sessions", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        shared_table("account_emailaddress"),
        shared_table("account_emailconfirmation"),
        shared_table("mfa_authenticator"),
        shared_table("usersessions_usersession"),
        shared_table("django_session"),
        shared_table("django_admin_log", grants="SELECT, INSERT"),
        shared_table("auth_group", grants=READ),
        shared_table("auth_group_permissions", grants=READ),
        shared_table("auth_permission", grants=READ),
        shared_table("django_content_type", grants=READ),
        shared_table("django_migrations", grants=READ),
    ]
