"use strict";
SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, tryItOutEnabled: true,
  displayRequestDuration: true, persistAuthorization: false, docExpansion: "list", defaultModelsExpandDepth: 0
});
