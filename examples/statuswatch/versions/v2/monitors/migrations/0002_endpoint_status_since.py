from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("monitors", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="status_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
