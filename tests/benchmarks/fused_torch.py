"""The fused PyTorch side: `nn.LSTM`, ids, the same batches, Adam with clipping."""

import numpy as np
import torch
from torch import nn

from seq2seq.text.batches import teacher_force
from tests.benchmarks.pairs import TrainingSide

HIDDEN, EMBEDDING = 256, 64
SPREAD = 0.3  # of the first embeddings, as on our side, so that both come to the same loss


class Network(nn.Module):
    def __init__(self, source_size, target_size, attention):
        super().__init__()
        self.source, self.target = nn.Embedding(source_size, EMBEDDING), nn.Embedding(target_size, EMBEDDING)
        units = HIDDEN // 2 if attention else HIDDEN
        self.encoder = nn.LSTM(EMBEDDING, units, batch_first=True, bidirectional=attention)
        self.decoder = nn.LSTM(EMBEDDING, HIDDEN, batch_first=True)
        self.query = nn.Linear(HIDDEN, HIDDEN, bias=False) if attention else None
        self.combine = nn.Linear(2 * HIDDEN, HIDDEN) if attention else None
        self.logits = nn.Linear(HIDDEN, target_size)
        for embedding in (self.source, self.target):
            nn.init.normal_(embedding.weight, std=SPREAD)

    def forward(self, source, inputs):
        memory, states = self.encoder(self.source(source))
        # (directions, B, units) -> (1, B, HIDDEN)
        states = tuple(state.transpose(0, 1).reshape(1, len(source), HIDDEN).contiguous() for state in states)
        outputs, _ = self.decoder(self.target(inputs), states)
        if self.query is not None:
            scores = self.query(outputs) @ memory.transpose(1, 2)
            scores = scores.masked_fill((source == 0)[:, None], -1e9)
            context = scores.softmax(-1) @ memory
            outputs = torch.tanh(self.combine(torch.cat([context, outputs], -1)))
        return self.logits(outputs)


def padded_left(ids):
    """Moves padding to the front, so that the last state is that of the last symbol without packing."""
    return np.stack([np.roll(row, (row == 0).sum()) for row in ids])


class FusedTorch(TrainingSide):
    def build(self):
        torch.manual_seed(1)
        self.network = Network(self.material.source_size, self.material.target_size, self.attention)
        self.make_optimizer()

    def make_optimizer(self):
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=0.002)

    def loss(self, pairs, rows, reduction="mean"):
        batch = pairs.batch(rows)
        inputs, targets, _ = teacher_force(batch.target_ids)
        arrays = (padded_left(batch.source_ids), np.ascontiguousarray(inputs), np.ascontiguousarray(targets))
        source, inputs, targets = (torch.from_numpy(array).long() for array in arrays)
        logits = self.network(source, inputs)
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0, reduction=reduction)

    def warm_up(self):
        before = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.train(self.material.slices[0][:2])
        self.network.load_state_dict(before)
        self.make_optimizer()

    def train(self, slice_):
        for rows in slice_:
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(self.material.train, rows).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()

    def validation_loss(self):
        with torch.no_grad():
            return float(self.loss(self.material.validation, np.arange(len(self.material.validation.sources))))
