"""Events of many accounts are taken at once by whoever carries their orders."""

from django.db import migrations

from mikrobot_platform.db.operations import ENGINE_ROLE, SYSTEM, system_read


def write(table: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE POLICY system_write_orders_carry ON {table} TO {ENGINE_ROLE} USING ({SYSTEM} IN ('orders.carry'))",
        reverse_sql=f"DROP POLICY system_write_orders_carry ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("risk_management", "0007_programs"),
        ("accounts", "0006_trading_zone"),
    ]

    operations = [
        write("risk_management_accountevent"),
        write("risk_management_accountstate"),
        system_read("risk_management_accountlimits", scope="orders.carry"),
        system_read("accounts_organization", scope="orders.carry"),
        # News is written down by whoever made it; it is read by the relay alone.
        migrations.RunSQL(
            f"CREATE POLICY system_publish_orders_carry ON accounts_outboxevent FOR INSERT TO {ENGINE_ROLE}"
            f" WITH CHECK ({SYSTEM} IN ('orders.carry'))",
            reverse_sql="DROP POLICY system_publish_orders_carry ON accounts_outboxevent",
        ),
    ]
