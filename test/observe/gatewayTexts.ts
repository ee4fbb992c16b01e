// Exposition text of gateways as they write it: names, labels and what is born with the first request.

/** After so many seconds. */
export type Says = (seconds: number) => string

const model = 'model_name="llama-70b",target_model_name="llama-70b"'

/** The endpoint picker of the Gateway API Inference Extension: 2 requests/s pass, one in five seconds is turned away. */
export const endpointPicker: Says = (t) => `# HELP inference_pool_ready_pods [ALPHA] The number of ready pods.
# TYPE inference_pool_ready_pods gauge
inference_pool_ready_pods{name="pool"} 2
# HELP inference_objective_request_total [ALPHA] Counter of requests.
# TYPE inference_objective_request_total counter
inference_objective_request_total{${model},priority="0"} ${10 + 2 * t}
inference_objective_request_total{${model},priority="10"} ${5 + t}
# TYPE inference_objective_request_error_total counter
inference_objective_request_error_total{error_code="InferencePoolResourceExhausted",${model}} ${t / 5}
inference_objective_request_error_total{error_code="ModelServerError",${model}} ${t}
# TYPE inference_extension_flow_control_queue_size gauge
inference_extension_flow_control_queue_size{fairness_id="a",inference_pool="pool",${model},priority="0"} ${t / 10}
inference_extension_flow_control_queue_size{fairness_id="b",inference_pool="pool",${model},priority="0"} 4
`

/** Its successor exposes both generations of names; here with one series per flow. */
export const llmd: Says = (t) => `${endpointPicker(t)}# TYPE llm_d_epp_ready_endpoints gauge
llm_d_epp_ready_endpoints{name="pool"} 2
# TYPE llm_d_epp_request_total counter
llm_d_epp_request_total{fairness_id="a",${model},priority="0"} ${10 + 2 * t}
llm_d_epp_request_total{fairness_id="b",${model},priority="0"} ${10 + t}
# TYPE llm_d_epp_request_error_total counter
llm_d_epp_request_error_total{error_code="ServiceUnavailable",fairness_id="a",${model},priority="0"} ${t / 10}
# TYPE llm_d_epp_flow_control_queue_size gauge
llm_d_epp_flow_control_queue_size{fairness_id="a",inference_pool="pool",${model},priority="0"} 3
# TYPE llm_d_epp_request_input_tokens histogram
llm_d_epp_request_input_tokens_bucket{fairness_id="a",${model},priority="0",le="100"} ${t}
llm_d_epp_request_input_tokens_bucket{fairness_id="a",${model},priority="0",le="+Inf"} ${2 * t}
llm_d_epp_request_input_tokens_sum{fairness_id="a",${model},priority="0"} ${400 * t}
llm_d_epp_request_input_tokens_count{fairness_id="a",${model},priority="0"} ${2 * t}
`

export const router: Says = (t) => `# HELP router_cpu_usage_percent CPU usage percent
# TYPE router_cpu_usage_percent gauge
router_cpu_usage_percent 3.5
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{server="http://10.0.0.7:8000"} 4.0
# HELP vllm:num_incoming_requests_total Total valid incoming requests to router.
# TYPE vllm:num_incoming_requests_total counter
vllm:num_incoming_requests_total{model="llama-70b"} ${7 + 3 * t}
vllm:num_incoming_requests_total{model="other"} ${100 * t}
# TYPE vllm:num_incoming_requests_created gauge
vllm:num_incoming_requests_created{model="llama-70b"} 1.76e+09
`

export const frontend: Says = (t) => `# TYPE dynamo_frontend_disconnected_clients gauge
dynamo_frontend_disconnected_clients 0
# TYPE dynamo_frontend_requests_started_total counter
dynamo_frontend_requests_started_total{endpoint="chat_completions",model="meta/llama-70b",request_type="stream"} ${3 * t}
dynamo_frontend_requests_started_total{endpoint="completions",model="meta/llama-70b",request_type="unary"} ${t}
# TYPE dynamo_frontend_requests_total counter
dynamo_frontend_requests_total{endpoint="chat_completions",error_type="",model="meta/llama-70b",request_type="stream",status="success"} ${2 * t}
# TYPE dynamo_frontend_output_sequence_tokens histogram
dynamo_frontend_output_sequence_tokens_bucket{model="meta/llama-70b",le="200"} ${3 * t}
dynamo_frontend_output_sequence_tokens_bucket{model="meta/llama-70b",le="+Inf"} ${4 * t}
dynamo_frontend_output_sequence_tokens_sum{model="meta/llama-70b"} ${600 * t}
dynamo_frontend_output_sequence_tokens_count{model="meta/llama-70b"} ${4 * t}
`
