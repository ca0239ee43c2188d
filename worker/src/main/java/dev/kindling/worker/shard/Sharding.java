package dev.kindling.worker.shard;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.None;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.Whole;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.Optional;

/**
 * How the state of parameters is spread over the ranks of the data axis (ZeRO; Rajbhandari et al.
 * 2020, 1910.02054, section 5).
 *
 * <p>Sharded are trained matrices whose number of elements the ranks divide, as equal runs of
 * elements, run i on rank i; in stage 3 frozen matrices too, which have no state and no gradient to
 * spread in the others. Everything else (gains, biases, odd matrices, those of which some columns
 * are trained) every rank keeps whole.
 *
 * <pre>
 * stage  master, state   gradient sum   what products read
 *   0    whole           whole          the master
 *   1    piece           whole          a whole working copy, gathered behind the update
 *   2    piece           piece          a whole working copy, gathered behind the update
 *   3    piece           piece          gathered before each use, in forward and in backward
 * </pre>
 *
 * @param stage 0 to 3; without effect in a world of one
 * @param ranks of the data axis
 * @param bucketBytes bytes on the wire from which a run of replicated gradients is an all-reduce of
 *     its own
 */
public record Sharding(int stage, int ranks, long bucketBytes) {
  /**
   * On the wire. Two H100 reduced runs of 32 MiB at 209 GB/s bus bandwidth and runs of 256 MiB at
   * 277; but the last run travels alone, and the longer the runs the more is left for it.
   */
  public static final long BUCKET_BYTES = 128L << 20;

  public Sharding {
    if (stage < 0 || stage > 3 || ranks < 1 || bucketBytes < 1) {
      throw new PlanException(
          "mesh.zero: expected 0 to 3 over at least one rank, found " + stage + " over " + ranks);
    }
  }

  public Sharding(int stage, int ranks) {
    this(stage, ranks, BUCKET_BYTES);
  }

  /** Every rank keeps everything, however many there are: one all-reduce. */
  public static Sharding none() {
    return new Sharding(0, 1);
  }

  /** Whether ranks keep pieces of this parameter. */
  public boolean shards(Param param) {
    return stage > 0
        && ranks > 1
        && param.shape().rank() >= 2
        && (param.demand() instanceof Whole || (stage == 3 && param.demand() instanceof None))
        && param.shape().elements() % ranks == 0;
  }

  /** Whether a whole copy outlives a step, to be gathered behind each update. */
  boolean keepsWorking() {
    return stage == 1 || stage == 2;
  }

  /** Whether each micro-step reduces its gradients; else the step does when it ends. */
  boolean reducesMicroSteps() {
    return stage >= 2;
  }

  /** The placement of one graph. */
  public ParameterPlaces places() {
    return new ParameterPlaces(this);
  }

  /** The sentences between backward and update. */
  public GradientExchange exchange() {
    return new GradientExchange(this);
  }

  /** The master under the parameter's name: whole or piece. */
  Variable master(Param param) {
    return shards(param)
        ? new Variable(param.name(), new ValueType(piece(param), DType.F32), Role.SHARD)
        : param.variable();
  }

  Variable working(Param param) {
    return new Variable("working/" + param.name(), param.type(), Role.WORKING);
  }

  private Shape piece(Param param) {
    return Shape.of(Math.toIntExact(param.shape().elements() / ranks));
  }

  AllGather gather(Param param, boolean into) {
    return new AllGather(Axis.DATA, ranks, into, Optional.of(param.shape()));
  }

  ReduceScatter scatter() {
    return new ReduceScatter(Axis.DATA, ranks, true);
  }

  /**
   * What a rank holds of a tensor that belongs to the parameter and is spread as it is.
   *
   * @param stored the rank's variable of the tensor
   */
  public Held held(Param param, Variable stored, int rank) {
    return held(param, param.shape(), stored, rank);
  }

  /**
   * What a rank holds of a tensor that belongs to the parameter: a run of it, as it does of the
   * parameter, or all of it, as every other rank.
   *
   * @param whole shape of the tensor over all ranks
   * @param stored the rank's variable of the tensor
   */
  public Held held(Param param, Shape whole, Variable stored, int rank) {
    Shape shape = stored.type().shape();
    return shards(param) && shape.elements() < whole.elements()
        ? new Held(stored.name(), whole, rank * shape.elements(), shape.elements())
        : new Held(stored.name(), shape, 0, shape.elements(), stored.type().dtype());
  }
}
