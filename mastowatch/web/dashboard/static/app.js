// What htmx leaves to do: see docs/reference/dashboard.md.
"use strict";
