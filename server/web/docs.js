"use strict";

window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayOperationId: true,
  tryItOutEnabled: true,
  // The validator badge would ask a server elsewhere.
  validatorUrl: null,
});
