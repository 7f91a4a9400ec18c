// What is tried out goes to the hub that this page came from, whatever address its description names.
fetch("openapi.json")
  .then((answer) => answer.json())
  .then((spec) => {
    spec.servers = [{ url: new URL(".", location.href).href.replace(/\/$/, ""), description: "This hub" }];
    SwaggerUIBundle({ spec, dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });
  });
