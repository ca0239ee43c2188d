package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.cpu.blas.Matmul;
import dev.kindling.kernels.backend.cpu.row.RowKernels;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.kernels.memory.Place;
import dev.kindling.kernels.memory.Span;
import java.util.Map;

/** What one program runs on: memory, plan, threads, kernels and communicators. */
record Engine(
    CpuMemory memory,
    MemoryPlan plan,
    Workers workers,
    RowKernels rows,
    Matmul matmul,
    Map<Axis, Communicator> communicators) {

  Piece piece(Value value) {
    Variable variable = plan.variableOf(value);
    if (variable != null) {
      return memory.piece(variable);
    }
    Place place = plan.placeOf(value);
    Span arena = memory.workspace(place.arena(), plan.arenaBytes().get(place.arena()));
    return new Piece(arena, place.offset(), value.type().bytes());
  }

  Span scratch(long bytes) {
    return memory.scratch(bytes);
  }

  Communicator communicator(Axis axis) {
    Communicator communicator = communicators.get(axis);
    if (communicator == null) {
      throw new PlanException("no communicator is bound to axis " + axis);
    }
    return communicator;
  }
}
