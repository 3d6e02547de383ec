/** Something of a pod's life that a kubelet would report with `kubectl describe pod`. */
export interface PodEvent {
  readonly type: 'Normal' | 'Warning';
  /** In the words of the kubelet: `Started`, `BackOff`, `Unhealthy`, `Killing`, … Source: kubernetes pkg/kubelet/events/event.go, 1.37. */
  readonly reason: string;
  readonly message: string;
  /** The container's name; absent: of the pod. */
  readonly container?: string;
}

export type EventHandler = (event: PodEvent) => void;
