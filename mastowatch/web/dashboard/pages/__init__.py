"""The pages, a module each: ``add(app, site)`` adds its routes."""
