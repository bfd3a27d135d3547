# control.sh PATH BODY: one request to the control API of the emulator.
eval "$(amldeploy emulator env)"
curl -fsS --cacert "$REQUESTS_CA_BUNDLE" -H "Authorization: Bearer $AMLDEPLOY_EMULATOR_TOKEN" \
    -H "Content-Type: application/json" "${REGISTRY_DISCOVERY_ENDPOINT_URL}emulator/$1" ${2:+-d "$2"}
